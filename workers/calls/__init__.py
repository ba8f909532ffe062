"""Rules of calling out: what an answer means, when to try again, in which order results leave. Pure."""
