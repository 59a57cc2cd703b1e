"""What is made for one GPU."""
