# Writes docs/BENCHMARKS.md from the recorded figures.
use strict;
use warnings;

use Bench::Report qw(render);

render();
