/*
 * cmd_alerts: the two files of `leakwatch alerts`.  Level 4.
 */
#ifndef LEAKWATCH_CMD_ALERTS_H
#define LEAKWATCH_CMD_ALERTS_H

/*
 * alerts test RECEIVER: sends a marked alert, and its end, to every sink of the receiver as the
 * configuration at path has it (NULL: the usual place), and prints what each answered.  CMD_OK when
 * all took both.
 */
int cmd_alerts_test(char **argv, const char *path, const char *receiver);

#endif
