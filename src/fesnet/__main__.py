"""`python -m fesnet`: for launchers that take a module, such as torchrun."""

from fesnet.cli import main

if __name__ == "__main__":
    main()
