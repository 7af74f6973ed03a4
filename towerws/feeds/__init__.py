"""What is done with a connection to the broker: from which kind of queue events come, and how."""
