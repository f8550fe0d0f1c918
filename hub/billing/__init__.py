"""Prices and the ledger. Amounts are integers in nano-units of the currency: 10⁹ of them are one dollar."""
