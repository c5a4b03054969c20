"""`python -m launchbook`: the command, where its script isn't on PATH."""

from launchbook.cli import main

main()
