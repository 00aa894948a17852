/* SPDX-License-Identifier: MIT */
void wait_for_end(void);
void tell_end(void);
