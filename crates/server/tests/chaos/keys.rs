//! Signing keys change under load, and nobody notices (M01, M03).
