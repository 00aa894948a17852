# SPDX-License-Identifier: MIT
#
# The test of the command line runs the command itself.

$(B)/tests/unit/cli: | $(B)/vgraft
