"""The checks of `enigma-fed doctor`: one small function each, listed in daemon/doctor.py."""
