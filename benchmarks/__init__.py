"""Speed and memory as numbers: `make bench`. Everything is compared side by side in one run, as ratios."""
