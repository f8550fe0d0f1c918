"""What an owner hands in: inspection parses and measures it and never executes it.

Only `torch_program` loads programs, after inspection, in the child, and where the operator allows it.
"""
