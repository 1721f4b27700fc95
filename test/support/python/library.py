"""Libraries from Debian."""

import importlib
import sys


def library(name):
    """The module, or the end of the process with a sentence that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = "python3-" + name.split(".")[0]
        sys.exit(f"this test needs {name}: install the Debian package {package}: apt-get install {package}")
