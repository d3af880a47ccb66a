"""Documents for people: self-contained pages in French and English, of what the rooms below return."""
