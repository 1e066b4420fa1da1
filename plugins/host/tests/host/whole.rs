//! Every function of the interface, both ways.
