//! A server that is held for longer than anybody waits (F33).
