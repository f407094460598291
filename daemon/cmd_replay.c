/* leakwatch replay: serves a recording as if it were the Go service. */
#include "cmd.h"
#include "replay.h"
#include "safe.h"
#include "str.h"

#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static const char usage[] =
	"usage: leakwatch replay --listen HOST:PORT [--speed N] DIR\n"
	"Serves the recording in DIR (leakwatch record) as if it were the Go service it was made "
	"of.\n\n"
	"  --listen HOST:PORT  where; port 0 takes a free one, and says which\n"
	"  --speed N           go through it N times as fast as it was made (default 1); every "
	"rate is\n"
	"                      then N times the real one\n"
	"  --help              this text\n\n"
	"At the end it goes on serving the last answers, until it is interrupted.\n"
	"Exit: 0 interrupted, 2 usage, 65 DIR holds no recording that can be read, 74 the address\n"
	"cannot be listened on.\n";

static void signal_cb(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

static void announce(const char *dir, const char *address, double speed)
{
	struct buf shown = BUF_INIT;

	safe_add(&shown, str_of(dir));
	if (speed == 1)
		printf("replaying %s on %s, as fast as it was recorded\n", shown.p, address);
	else
		printf("replaying %s on %s, %g times as fast: rates are %g times the real ones\n",
			shown.p, address, speed, speed);
	fflush(stdout); /* scripts wait for this line */
	buf_release(&shown);
}

static int serve(char **argv, const char *dir, const char *listen, double speed)
{
	struct event_base *base = event_base_new();
	struct event *interrupted = evsignal_new(base, SIGINT, signal_cb, base);
	struct event *terminated = evsignal_new(base, SIGTERM, signal_cb, base);
	struct recording *recording;
	struct replay *replay = NULL;
	struct err err = ERR_INIT;
	int code = CMD_OK;

	signal(SIGPIPE, SIG_IGN);
	evsignal_add(interrupted, NULL);
	evsignal_add(terminated, NULL);
	recording = recording_open(dir, &err);
	if (!recording) {
		code = cmd_error(CMD_DATA, argv, &err);
		goto out;
	}
	replay = replay_new(base, recording, listen, speed, &err);
	if (!replay) {
		code = cmd_error(CMD_IO, argv, &err);
		goto out;
	}
	if (replay_start(replay, &err) < 0) {
		code = cmd_error(CMD_DATA, argv, &err);
		goto out;
	}
	announce(dir, replay_address(replay), speed);
	event_base_dispatch(base);
out:
	replay_free(replay);
	event_free(interrupted);
	event_free(terminated);
	event_base_free(base);
	return code;
}

int cmd_replay(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
		{"speed", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *listen = NULL;
	double speed = 1;
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'l':
			listen = optarg;
			break;
		case 's':
			if (!str_double(str_of(optarg), &speed) || !(speed > 0) ||
				speed > REPLAY_SPEED_MAX)
				return cmd_usage(argv,
					"--speed takes a number above 0, at most %.0f, not '%s'",
					REPLAY_SPEED_MAX, optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv, "there is an option it does not have");
		}
	}
	if (!listen)
		return cmd_usage(argv, "--listen HOST:PORT is missing");
	if (optind + 1 != argc)
		return cmd_usage(argv, "takes one directory");
	return serve(argv, argv[optind], listen, speed);
}
