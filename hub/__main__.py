"""`python -m hub` is `conch`."""

from hub.cli import main

main()
