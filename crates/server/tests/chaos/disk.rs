//! A disk that takes no more (F07).
