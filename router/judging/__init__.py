"""How good a router is: on rows, in trials on public sets, and on what users said."""
