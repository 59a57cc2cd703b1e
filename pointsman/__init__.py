"""The yard: what every room stands on (``document``, ``artefact``) and the command line that opens them."""
