//! What concerns PostgreSQL alone: that the machine between us fails in ways of its own, and that nodes come and go.
