"""What reaches the engine from outside the process: each protocol is a room of its own."""
