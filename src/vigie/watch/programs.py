"""Programs that the guard runs: never through a shell, never for longer than a moment, never in its loop."""

import subprocess
from collections.abc import Sequence

SECONDS = 5.0
"""How long nft, smbcontrol or mount may take."""
_SAID = 2000
"""Characters of what a program said that are kept."""


def run(words: Sequence[str], said: str = "", seconds: float = SECONDS) -> str:
    """Run a program with `said` on its input; what went wrong in one line, or nothing."""
    try:
        done = subprocess.run(
            list(words),
            input=said.encode(errors="surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"{words[0]} did not end within {seconds:g} s"
    except FileNotFoundError:
        return f"{words[0]} is not installed"
    except OSError as error:
        return f"{words[0]}: {error.strerror}"
    if done.returncode == 0:
        return ""
    words_of_it = " ".join(done.stdout.decode(errors="replace")[:_SAID].split())
    return f"{words[0]} ended with {done.returncode}: {words_of_it}"
