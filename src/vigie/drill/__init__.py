"""The rehearsal: an invented practice, its ordinary work, and a harmless attack in a marked folder."""
