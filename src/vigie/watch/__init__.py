"""Live events -> detector -> actions: sees who encrypts files, and freezes it.

A *sensor* turns what the kernel says into events; the *guard* glances at each file and, when told to contain,
*holds* a process that writes what looks random; a *lane* has the file judged; the *detector* counts and opens
an *incident*; the *freezer* stops its actor, until somebody releases it or the action expires.
"""
