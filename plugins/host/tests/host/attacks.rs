//! What a guest might do to the host, to other guests, and to the world.
