"""What was used: one row a call, committed together with its charge before the call is answered."""
