"""One machine, one command: the servers that come as wheels, and the supervisor behind `conch up`."""
