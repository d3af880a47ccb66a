"""Samba: who is behind an smbd, and how a client is cut off."""
