"""Files from npm that the gateway serves to browsers. See README.md here."""

from pathlib import Path

PACKAGES = Path(__file__).with_name("node_modules")
# Said where a file of them is asked for and npm has not been run.
NOT_INSTALLED = "The packages for the browser are not installed: run `make pages`."
