/* The built-in rules: every one takes the stacks it is meant for, and none takes the service's. */
#include "buf.h"
#include "classify.h"
#include "config.h"
#include "map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define FRAMES 8

/* Stacks as debug=1 shows them, leaf first; the names are those of real programs. */
static const struct {
	const char *class_name;
	const char *frames[FRAMES];
} rows[] = {
	{"leakwatch-scrape", {"runtime/pprof.writeGoroutine", "runtime/pprof.(*Profile).WriteTo",
				     "net/http/pprof.handler.ServeHTTP", "net/http/pprof.Index",
				     "net/http.HandlerFunc.ServeHTTP", "net/http.(*conn).serve"}},
	{"http-client-conn", {"net/http.(*persistConn).writeLoop"}},
	{"http-client-conn", {"internal/poll.runtime_pollWait", "net.(*conn).Read",
				     "bufio.(*Reader).Peek", "net/http.(*persistConn).readLoop"}},
	{"http-client-conn", {"net/http.(*http2clientConnReadLoop).run",
				     "net/http.(*http2ClientConn).readLoop"}},
	{"http-client-stream", {"net/http.(*http2clientStream).writeRequest",
				       "net/http.(*http2clientStream).doRequest"}},
	{"accept-loop", {"internal/poll.(*FD).Accept", "net.(*netFD).accept",
				"net.(*TCPListener).Accept", "main.main"}},
	{"accept-loop", {"net/http.(*Server).Serve", "main.main"}}, /* between two clients */
	{"http-server-conn", {"internal/poll.runtime_pollWait", "net/http.(*connReader).Read",
				     "bufio.(*Reader).Peek", "net/http.(*conn).serve"}},
	{"http-server-conn",
		{"internal/poll.runtime_pollWait", "net/http.(*connReader).backgroundRead"}},
	{"http-server-conn", {"net/http.(*http2serverConn).readFrames"}},
	{"http-proxy-upgrade", {"io.Copy", "net/http/httputil.switchProtocolCopier.copyToBackend"}},
	{"tls-handshake", {"crypto/tls.(*Conn).handshakeContext.func2"}},
	{"net-dial", {"internal/poll.runtime_pollWait", "net.(*sysDialer).dialSingle",
			     "net/http.(*Transport).dialConnFor"}},
	{"net-dial", {"net.(*Resolver).lookupIPAddr.func2"}},
	{"net-rpc", {"net.(*conn).Read", "net/rpc.(*Client).input"}},
	{"sql-db", {"database/sql.(*DB).connectionOpener"}},
	{"sql-db", {"database/sql.(*DB).connectionCleaner"}},
	{"sql-rows", {"database/sql.(*Rows).awaitDone"}},
	{"sql-tx", {"database/sql.(*Tx).awaitDone"}},
	{"mysql-conn", {"github.com/go-sql-driver/mysql.(*mysqlConn).startWatcher.func1"}},
	{"postgres-conn", {"github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"}},
	{"postgres-conn", {"github.com/lib/pq.(*conn).watchCancel.func1"}},
	{"mongo-client", {"go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*Server).update"}},
	{"grpc-client-stream", {"google.golang.org/grpc.newClientStreamWithParams.func4"}},
	{"grpc-client-conn", {"google.golang.org/grpc.(*ccBalancerWrapper).watcher"}},
	{"grpc-client-transport",
		{"google.golang.org/grpc/internal/transport.(*controlBuffer).get",
			"google.golang.org/grpc/internal/transport.(*loopyWriter).run",
			"google.golang.org/grpc/internal/transport.newHTTP2Client.func6"}},
	{"grpc-client-transport",
		{"google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"}},
	{"grpc-server-conn",
		{"google.golang.org/grpc/internal/transport.(*http2Server).keepalive"}},
	{"grpc-server-conn",
		{"golang.org/x/net/http2.(*Framer).ReadFrame",
			"google.golang.org/grpc/internal/transport.(*http2Server).HandleStreams",
			"google.golang.org/grpc.(*Server).serveStreams",
			"google.golang.org/grpc.(*Server).handleRawConn.func1"}},
	{"kafka-sarama", {"github.com/IBM/sarama.(*Broker).responseReceiver",
				 "github.com/IBM/sarama.withRecover"}},
	{"kafka-go", {"github.com/segmentio/kafka-go.(*reader).run"}},
	{"kafka-franz", {"github.com/twmb/franz-go/pkg/kgo.(*Client).updateMetadataLoop"}},
	{"kafka-confluent", {"github.com/confluentinc/confluent-kafka-go/v2/kafka.poller"}},
	{"nats-conn", {"net.(*conn).Read", "github.com/nats-io/nats.go.(*Conn).readLoop"}},
	{"nats-subscription", {"sync.runtime_notifyListWait", "sync.(*Cond).Wait",
				      "github.com/nats-io/nats.go.(*Conn).waitForMsgs"}},
	{"amqp-conn", {"github.com/rabbitmq/amqp091-go.(*Connection).heartbeater"}},
	{"redis-pool", {"github.com/redis/go-redis/v9.(*channel).initHealthCheck.func1"}},
	{"redis-pool", {"github.com/go-redis/redis/v8/internal/pool.(*ConnPool).reaper"}},
	{"etcd-client", {"go.etcd.io/etcd/client/v3.(*watchGrpcStream).run"}},
	{"kubernetes-client", {"k8s.io/client-go/tools/cache.(*processorListener).run",
				      "k8s.io/apimachinery/pkg/util/wait.(*Group).Start.func1"}},
	{"kubernetes-client", {"k8s.io/client-go/util/workqueue.(*delayingType[...]).waitingLoop"}},
	{"kubernetes-wait", {"k8s.io/apimachinery/pkg/util/wait.BackoffUntil",
				    "k8s.io/apimachinery/pkg/util/wait.Until"}},
	{"docker-client", {"github.com/docker/docker/client.(*Client).Events.func1"}},
	{"zookeeper-conn", {"github.com/go-zk/zk.(*Conn).sendLoop"}},
	{"hashicorp-cluster", {"github.com/hashicorp/yamux.(*Session).keepalive"}},
	{"opentelemetry",
		{"go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).processQueue",
			"go.opentelemetry.io/otel/sdk/trace.NewBatchSpanProcessor.func1"}},
	{"opentelemetry", {"go.opencensus.io/stats/view.(*worker).start"}},
	{"prometheus-client",
		{"github.com/prometheus/client_golang/prometheus.(*Registry).Gather.func1"}},
	{"logging", {"gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"}},
	{"logging", {"io.(*PipeReader).Read", "github.com/sirupsen/logrus.(*Entry).writerScanner"}},
	{"logging", {"k8s.io/klog/v2.(*flushDaemon).run.func1"}},
	{"profiling", {"time.Sleep", "runtime/pprof.profileWriter"}},
	{"aws-sdk", {"github.com/aws/aws-sdk-go-v2/feature/s3/manager.(*downloader).downloadPart"}},
	{"google-cloud", {"cloud.google.com/go/pubsub.(*messageIterator).sender"}},
	{"websocket-conn", {"nhooyr.io/websocket.(*Conn).timeoutLoop"}},
	{"quic-conn", {"github.com/quic-go/quic-go.(*connection).run"}},
	{"ssh-conn", {"golang.org/x/crypto/ssh.(*mux).loop"}},
	{"fsnotify", {"github.com/fsnotify/fsnotify.(*Watcher).readEvents"}},
	{"cache-janitor", {"github.com/patrickmn/go-cache.(*janitor).Run"}},
	{"embedded-store", {"github.com/dgraph-io/badger/v4.(*DB).doWrites"}},
	{"certmagic", {"github.com/caddyserver/certmagic.(*RingBufferRateLimiter).permit",
			      "github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"}},
	{"prometheus-scrape-loop", {"github.com/prometheus/prometheus/scrape.(*scrapeLoop).run"}},
	{"alertmanager-group",
		{"github.com/prometheus/alertmanager/dispatch.(*aggrGroup).run",
			"github.com/prometheus/alertmanager/dispatch.(*Dispatcher).processAlert."
			"func1"}},
	{"etcd-watch-stream", {"go.etcd.io/etcd/etcdserver/api/v3rpc.(*serverWatchStream).sendLoop",
				      "go.etcd.io/etcd/etcdserver/api/v3rpc.(*watchServer).Watch."
				      "func1"}},
	{"etcd-watch-stream",
		{"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc.(*watchServer).Watch",
			"go.etcd.io/etcd/api/v3/etcdserverpb._Watch_Watch_Handler",
			"google.golang.org/grpc.(*Server).processStreamingRPC",
			"google.golang.org/grpc.(*Server).handleStream",
			"google.golang.org/grpc.(*Server).serveStreams.func1.2"}},
	{"nats-server-client",
		{"internal/poll.runtime_pollWait", "net.(*conn).Read",
			"github.com/nats-io/nats-server/v2/server.(*client).readLoop",
			"github.com/nats-io/nats-server/v2/server.(*Server).createClient.func1"}},
	{"nats-server-client",
		{"sync.runtime_notifyListWait", "sync.(*Cond).Wait",
			"github.com/nats-io/nats-server/server.(*client).writeLoop",
			"github.com/nats-io/nats-server/server.(*Server).createClient.func2"}},
	{"os-exec",
		{"io.Copy", "os/exec.(*Cmd).writerDescriptor.func1", "os/exec.(*Cmd).Start.func2"}},
	{"context-propagation", {"context.(*cancelCtx).propagateCancel.func2"}},
	{"context-propagation", {"context.propagateCancel.func1"}}, /* Go 1.20 and before */
	{"signal-loop", {"os/signal.signal_recv", "os/signal.loop"}},
	{"timers", {"runtime.timerproc"}},
	{"io-pipe", {"io.(*pipe).read", "io.(*PipeReader).Read", "io.copyBuffer", "io.Copy"}},
	{"runtime", {"runtime.gopark", "runtime.gcBgMarkWorker"}},
	/* the service's own code keeps its own name */
	{"main.handle < net/http.(*conn).serve",
		{"sync.(*Mutex).Lock", "main.handle", "net/http.HandlerFunc.ServeHTTP",
			"net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"}},
	{"main.handle < net/http.(*http2serverConn).runHandler",
		{"main.handle", "net/http.HandlerFunc.ServeHTTP",
			"net/http.serverHandler.ServeHTTP",
			"net/http.(*http2serverConn).runHandler"}},
	{"main.(*server).List < google.golang.org/grpc.(*Server).serveStreams",
		{"main.(*server).List", "google.golang.org/grpc.(*Server).processUnaryRPC",
			"google.golang.org/grpc.(*Server).handleStream",
			"google.golang.org/grpc.(*Server).serveStreams.func2.1"}},
	{"main.(*consumer).ConsumeClaim < github.com/IBM/sarama.(*consumerGroupSession).consume",
		{"main.(*consumer).ConsumeClaim",
			"github.com/IBM/sarama.(*consumerGroupSession).consume"}},
	{"main.onMessage < github.com/nats-io/nats.go.(*Conn).waitForMsgs",
		{"main.onMessage", "github.com/nats-io/nats.go.(*Conn).waitForMsgs"}},
	{"main.sleeper", {"time.Sleep", "main.sleeper"}},
	{"main.query",
		{"database/sql.(*DB).conn", "database/sql.(*DB).QueryContext", "main.query"}},
	{"main.(*netServer).loop", {"main.(*netServer).loop"}},
};

static void every_rule_takes_what_it_is_meant_for(void **state)
{
	struct config_errors errs;
	struct arena a = ARENA_INIT, scratch = ARENA_INIT;
	struct err err = ERR_INIT;
	struct rule *rules;
	size_t n, taken = 0;
	struct map *seen = map_new();
	struct classifier *c;
	struct buf text = BUF_INIT;

	(void)state;
	config_errors_init(&errs);
	if (config_parse_rules(str_of(builtin_rules_yaml), true, &a, &rules, &n, &errs) != 0) {
		config_errors_text(&errs, "rules.yaml", &text);
		fail_msg("%s", text.p);
	}
	c = classifier_new(rules, n, &err);
	assert_non_null(c);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame frames[FRAMES];
		struct group g = {.count = 1, .frames = frames, .nhidden = 3};
		const struct rule *rule;
		struct stack s;
		struct str name;

		memset(frames, 0, sizeof(frames));
		for (; g.nframes < FRAMES && rows[i].frames[g.nframes]; g.nframes++)
			frames[g.nframes].func = str_of(rows[i].frames[g.nframes]);
		stack_from_group(&scratch, &g, false, &s);
		name = classifier_name(c, &s, &scratch, &rule);
		if (!str_is(name, rows[i].class_name))
			fail_msg("%s: is %.*s, should be %s", rows[i].frames[0], STR_ARG(name),
				rows[i].class_name);
		if (rule && !map_put(seen, rule->name, (void *)1))
			taken++;
		arena_reset(&scratch);
	}
	for (size_t i = 0; i < n; i++) {
		if (!map_get(seen, rules[i].name))
			fail_msg("no row for the rule %.*s", STR_ARG(rules[i].name));
		assert_true(rules[i].hint.len > 20 && rules[i].builtin);
	}
	assert_int_equal(taken, n);
	map_free(seen, NULL);
	classifier_free(c);
	config_errors_release(&errs);
	buf_release(&text);
	arena_release(&scratch);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_takes_what_it_is_meant_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
