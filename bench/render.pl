# Makes docs/BENCHMARKS.md of the figures that are kept.
use strict;
use warnings;

use Bench::Report qw(render);

render();
