"""Real and scripted servers for the tests: each one private, on loopback, and gone when its test is over."""
