"""The command line as ``python -m wallviz``."""

from wallviz.cli import app

if __name__ == "__main__":
    app()
