"""Who may connect, and what they may hear: one file for each way of finding out."""
