"""What people and other programs are told while the guard works; it never waits for them."""
