"""`make bench-int8`: every sample model through the conversion, against its bars and against what others do."""
