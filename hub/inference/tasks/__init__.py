"""One module a task: public parts to rows, rows to public parts."""
