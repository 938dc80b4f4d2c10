"""Load tests of the API, and the peer it is compared with."""
