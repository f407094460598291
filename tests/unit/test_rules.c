/* The built-in rules: every one takes the stacks it is meant for, and none takes the service's. */
#include "buf.h"
#include "classify.h"
#include "config.h"
#include "map.h"
#include "report.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FRAMES	  8
#define LEFT_MOST 10 /* per cent of the goroutines of real programs without a rule */

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
	{"postgres-query-watch", {"github.com/lib/pq.(*conn).watchCancel.func1"}},
	{"mongo-monitor", {"go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*Server).update"}},
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
	{"redis-subscription", {"github.com/redis/go-redis/v9.(*channel).initHealthCheck.func1"}},
	{"redis-pool", {"github.com/go-redis/redis/v8/internal/pool.(*ConnPool).reaper"}},
	{"etcd-client-watch", {"go.etcd.io/etcd/client/v3.(*watchGrpcStream).run"}},
	{"kubernetes-client", {"k8s.io/client-go/tools/cache.(*processorListener).run",
				      "k8s.io/apimachinery/pkg/util/wait.(*Group).Start.func1"}},
	{"kubernetes-workqueue",
		{"k8s.io/client-go/util/workqueue.(*delayingType[...]).waitingLoop"}},
	{"kubernetes-wait", {"k8s.io/apimachinery/pkg/util/wait.BackoffUntil",
				    "k8s.io/apimachinery/pkg/util/wait.Until"}},
	{"docker-client", {"github.com/docker/docker/client.(*Client).Events.func1"}},
	{"zookeeper-conn", {"github.com/go-zk/zk.(*Conn).sendLoop"}},
	{"yamux-session", {"github.com/hashicorp/yamux.(*Session).keepalive"}},
	{"opentelemetry-trace",
		{"go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).processQueue",
			"go.opentelemetry.io/otel/sdk/trace.NewBatchSpanProcessor.func1"}},
	{"opencensus-worker", {"go.opencensus.io/stats/view.(*worker).start"}},
	{"prometheus-client",
		{"github.com/prometheus/client_golang/prometheus.(*Registry).Gather.func1"}},
	{"log-rotation", {"gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"}},
	{"logging", {"io.(*PipeReader).Read", "github.com/sirupsen/logrus.(*Entry).writerScanner"}},
	{"log-flusher", {"k8s.io/klog/v2.(*flushDaemon).run.func1"}},
	{"profiling", {"time.Sleep", "runtime/pprof.profileWriter"}},
	{"aws-s3-transfer",
		{"github.com/aws/aws-sdk-go-v2/feature/s3/manager.(*downloader).downloadPart"}},
	{"google-pubsub", {"cloud.google.com/go/pubsub.(*messageIterator).sender"}},
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
	{"http-client-tls",
		{"internal/poll.runtime_pollWait", "crypto/tls.(*Conn).HandshakeContext",
			"net/http.(*persistConn).addTLS.func2"}},
	{"http-server-shutdown", {"sync.runtime_Semacquire", "net/http.(*Server).Shutdown.func1"}},
	{"grpc-gateway",
		{"google.golang.org/grpc/internal/transport.(*recvBufferReader).readClient",
			"google.golang.org/grpc.(*clientStream).RecvMsg",
			"github.com/grpc-ecosystem/grpc-gateway/runtime.ForwardResponseStream",
			"net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"}},
	{"postgres-query-watch",
		{"github.com/jackc/pgx/v5/pgconn/ctxwatch.(*ContextWatcher).Watch.func1"}},
	{"postgres-query-watch", {"github.com/lib/pq.(*conn).watchCancel.func1"}},
	{"postgres-listener",
		{"net.(*conn).Read", "github.com/lib/pq.(*ListenerConn).listenerConnLoop",
			"github.com/lib/pq.(*ListenerConn).listenerConnMain"}},
	{"postgres-listener", {"github.com/lib/pq.(*Listener).listenerMain"}},
	{"mongo-monitor",
		{"internal/poll.runtime_pollWait",
			"go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*Server).check",
			"go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*Server).update"}},
	{"mongo-monitor",
		{"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology.(*rttMonitor).start"}},
	{"cassandra-conn", {"net.(*conn).Read", "github.com/gocql/gocql.(*Conn).recv",
				   "github.com/gocql/gocql.(*Conn).serve"}},
	{"cassandra-conn", {"github.com/gocql/gocql.(*controlConn).heartBeat"}},
	{"elasticsearch-client", {"github.com/olivere/elastic/v7.(*Client).healthchecker"}},
	{"elasticsearch-client",
		{"github.com/elastic/go-elasticsearch/v8/esutil.(*worker).run.func1"}},
	{"clickhouse-client", {"github.com/ClickHouse/clickhouse-go/v2.(*connect).query.func1"}},
	{"grpc-server-stopping", {"sync.(*Cond).Wait", "google.golang.org/grpc.(*Server).stop",
					 "google.golang.org/grpc.(*Server).GracefulStop"}},
	{"grpc-stream-worker", {"google.golang.org/grpc.(*Server).serverWorker"}},
	{"grpc-server-transport", {"google.golang.org/grpc/transport.(*http2Server).keepalive"}},
	{"grpc-resolver", {"google.golang.org/grpc/internal/resolver/dns.(*dnsResolver).watcher"}},
	{"kafka-sarama-consumer", {"github.com/IBM/sarama.(*partitionConsumer).responseFeeder",
					  "github.com/IBM/sarama.withRecover"}},
	{"kafka-sarama-consumer",
		{"github.com/Shopify/sarama.(*consumerGroupSession).heartbeatLoop"}},
	{"kafka-sarama-producer", {"github.com/IBM/sarama.(*asyncProducer).dispatcher",
					  "github.com/IBM/sarama.withRecover"}},
	{"kafka-sarama-producer", {"github.com/Shopify/sarama.(*partitionProducer).dispatch",
					  "github.com/Shopify/sarama.withRecover"}},
	{"kafka-go-writer",
		{"sync.(*Cond).Wait",
			"github.com/segmentio/kafka-go.(*partitionWriter).writeBatches"}},
	{"kafka-go-conn", {"github.com/segmentio/kafka-go.(*connPool).discover"}},
	{"kafka-franz-broker", {"github.com/twmb/franz-go/pkg/kgo.(*brokerCxn).handleResps"}},
	{"kafka-franz-broker", {"github.com/twmb/franz-go/pkg/kgo.(*broker).handleReqs"}},
	{"nats-jetstream",
		{"github.com/nats-io/nats.go/jetstream.(*pullSubscription).pullMessages"}},
	{"pulsar-client",
		{"github.com/apache/pulsar-client-go/pulsar.(*partitionConsumer).dispatcher"}},
	{"mqtt-client", {"github.com/eclipse/paho%2emqtt%2egolang.startIncomingComms.func1"}},
	{"nsq-client", {"net.(*conn).Read", "github.com/nsqio/go-nsq.(*Conn).readLoop"}},
	{"redis-subscription", {"github.com/redis/go-redis/v9.(*channel).initMsgChan.func1"}},
	{"redis-subscription", {"github.com/go-redis/redis/v8.(*channel).initHealthCheck.func1"}},
	{"etcd-client-watch", {"go.etcd.io/etcd/client/v3.(*watchGrpcStream).serveSubstream"}},
	{"etcd-client-watch", {"go.etcd.io/etcd/clientv3.(*watchGrpcStream).serveWatchClient"}},
	{"etcd-client-lease", {"go.etcd.io/etcd/client/v3.(*lessor).keepAliveCtxCloser"}},
	{"etcd-client-lease", {"go.etcd.io/etcd/clientv3.(*lessor).recvKeepAliveLoop"}},
	{"etcd-client-lease", {"go.etcd.io/etcd/client/v3/concurrency.NewSession.func1"}},
	{"kubernetes-leader-election",
		{"k8s.io/apimachinery/pkg/util/wait.BackoffUntil",
			"k8s.io/client-go/tools/leaderelection.(*LeaderElector).renew",
			"k8s.io/client-go/tools/leaderelection.(*LeaderElector).Run",
			"sigs.k8s.io/controller-runtime/pkg/"
			"manager.(*controllerManager).initLeaderElector.func2"}},
	{"kubernetes-workqueue",
		{"k8s.io/client-go/util/workqueue.(*delayingType[...]).waitingLoop"}},
	{"kubernetes-workqueue",
		{"k8s.io/client-go/util/workqueue.(*Type).updateUnfinishedWorkLoop"}},
	{"kubernetes-watch", {"net/http.(*http2pipe).Read",
				     "k8s.io/apimachinery/pkg/watch.(*StreamWatcher).receive"}},
	{"kubernetes-watch", {"k8s.io/client-go/tools/watch.(*RetryWatcher).receive"}},
	{"kubernetes-worker-idle", {"sync.runtime_notifyListWait", "sync.(*Cond).Wait",
					   "k8s.io/client-go/util/workqueue.(*Typed[...]).Get",
					   "sigs.k8s.io/controller-runtime/pkg/internal/"
					   "controller.(*Controller[...]).processNextWorkItem",
					   "sigs.k8s.io/controller-runtime/pkg/internal/"
					   "controller.(*Controller[...]).Start.func2.2"}},
	{"kubernetes-controller",
		{"sigs.k8s.io/controller-runtime/pkg/internal/controller.(*Controller[...]).Start",
			"sigs.k8s.io/controller-runtime/pkg/"
			"manager.(*runnableGroup).reconcile.func1"}},
	{"docker-attach",
		{"net/http.(*bodyEOFSignal).Read", "github.com/docker/docker/pkg/stdcopy.StdCopy",
			"github.com/docker/cli/cli/command/"
			"container.(*hijackedIOStreamer).beginOutputStream.func2"}},
	{"containerd-client", {"io.Copy", "github.com/containerd/containerd/cio.copyIO.func2"}},
	{"containerd-client", {"github.com/containerd/fifo.openFifo.func2"}},
	{"ttrpc-conn", {"net.(*conn).Read", "github.com/containerd/ttrpc.(*Client).receiveLoop"}},
	{"ttrpc-conn", {"github.com/containerd/ttrpc.(*serverConn).run"}},
	{"consul-client", {"net/http.(*persistConn).roundTrip",
				  "github.com/hashicorp/consul/api.(*Lock).monitorLock"}},
	{"consul-client", {"github.com/hashicorp/consul/api.(*Session).RenewPeriodic"}},
	{"vault-client", {"github.com/hashicorp/vault/api.(*LifetimeWatcher).doRenewWithOptions",
				 "github.com/hashicorp/vault/api.(*LifetimeWatcher).Start"}},
	{"yamux-session", {"github.com/hashicorp/yamux.(*Session).keepalive"}},
	{"yamux-session", {"github.com/xtaci/smux.(*Session).recvLoop"}},
	{"go-plugin", {"github.com/hashicorp/go-plugin.(*GRPCBroker).Run"}},
	{"raft-node", {"github.com/hashicorp/raft.(*Raft).replicate",
			      "github.com/hashicorp/raft.(*raftState).goFunc.func1"}},
	{"raft-node", {"go.etcd.io/raft/v3.(*node).run"}},
	{"opencensus-worker", {"go.opencensus.io/stats/view.(*worker).start"}},
	{"opentelemetry-trace",
		{"go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).processQueue",
			"go.opentelemetry.io/otel/sdk/trace.NewBatchSpanProcessor.func1"}},
	{"opentelemetry-metric",
		{"go.opentelemetry.io/otel/sdk/metric.(*PeriodicReader).run",
			"go.opentelemetry.io/otel/sdk/metric.NewPeriodicReader.func1"}},
	{"log-flusher", {"k8s.io/klog/v2.(*flushDaemon).run.func1"}},
	{"log-flusher", {"github.com/golang/glog.(*fileSink).flushDaemon"}},
	{"log-flusher", {"go.uber.org/zap/zapcore.(*BufferedWriteSyncer).flushLoop"}},
	{"log-rotation", {"gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"}},
	{"jaeger-client", {"github.com/uber/jaeger-client-go.(*remoteReporter).processQueue"}},
	{"error-reporting", {"github.com/getsentry/sentry-go.(*HTTPTransport).worker"}},
	{"metrics-client", {"github.com/rcrowley/go-metrics.(*meterArbiter).tick"}},
	{"metrics-client", {"github.com/DataDog/datadog-go/v5/statsd.(*sender).sendLoop"}},
	{"aws-s3-transfer",
		{"github.com/aws/aws-sdk-go-v2/feature/s3/manager.(*downloader).downloadPart"}},
	{"aws-s3-transfer",
		{"github.com/aws/aws-sdk-go/service/s3/s3manager.(*multiuploader).readChunk"}},
	{"google-pubsub", {"cloud.google.com/go/pubsub.(*messageIterator).sender"}},
	{"azure-sdk", {"github.com/Azure/go-amqp.(*Conn).connReader"}},
	{"http3-conn",
		{"github.com/quic-go/quic-go/http3.(*ClientConn).handleBidirectionalStreams"}},
	{"dns-server", {"internal/poll.runtime_pollWait", "github.com/miekg/dns.(*Server).serveUDP",
			       "github.com/miekg/dns.(*Server).ListenAndServe"}},
	{"fasthttp-server-conn",
		{"internal/poll.runtime_pollWait", "net.(*conn).Read", "bufio.(*Reader).Peek",
			"github.com/valyala/fasthttp.(*Server).serveConn",
			"github.com/valyala/fasthttp.(*workerPool).workerFunc"}},
	{"fasthttp-client",
		{"time.Sleep", "github.com/valyala/fasthttp.(*HostClient).connsCleaner"}},
	{"fasthttp-service",
		{"time.Sleep", "github.com/valyala/fasthttp.updateServerDate.func1.1"}},
	{"webrtc", {"github.com/pion/transport/v2/packetio.(*Buffer).Read",
			   "github.com/pion/srtp/v2.(*session).start.func1"}},
	{"config-watch", {"github.com/spf13/viper.(*Viper).WatchConfig.func1"}},
	{"cron-scheduler", {"github.com/robfig/cron/v3.(*Cron).run"}},
	{"worker-pool", {"github.com/panjf2000/ants/v2.(*Pool).purgeStaleWorkers"}},
	{"worker-pool", {"github.com/gammazero/workerpool.(*WorkerPool).dispatch"}},
	{"circuit-breaker", {"github.com/afex/hystrix-go/hystrix.(*metricExchange).Monitor"}},
	{"backoff", {"github.com/cenkalti/backoff/v4.(*Ticker).run"}},
	{"bolt-store", {"go.etcd.io/bbolt.(*DB).freepages.func2"}},
	{"temporal-worker", {"go.temporal.io/sdk/internal.(*baseWorker).runPoller"}},
	{"suture-supervisor",
		{"github.com/thejerf/suture/v4.(*Supervisor).Serve",
			"github.com/thejerf/suture/v4.(*Supervisor).runService.func2"}},
	{"run-group", {"github.com/oklog/run.(*Group).Run",
			      "github.com/prometheus/alertmanager/inhibit.(*Inhibitor).Run",
			      "github.com/oklog/run.(*Group).Run.func1"}},
	{"prometheus-rule-group",
		{"github.com/prometheus/prometheus/rules.(*Group).run",
			"github.com/prometheus/prometheus/rules.(*Manager).Update.func1"}},
	{"prometheus-remote-write",
		{"github.com/prometheus/prometheus/storage/remote.(*shards).runShard"}},
	{"prometheus-discovery", {"github.com/prometheus/prometheus/discovery.(*Manager).sender"}},
	{"alertmanager-service", {"github.com/prometheus/alertmanager/nflog.(*Log).run"}},
	{"alertmanager-service-loop",
		{"github.com/prometheus/alertmanager/dispatch.(*Dispatcher).run",
			"sync.(*WaitGroup).Go.func1"}},
	{"etcd-service", {"go.etcd.io/etcd/server/etcdserver.monitorFileDescriptor",
				 "go.etcd.io/etcd/server/etcdserver.(*EtcdServer).GoAttach.func1"}},
	{"nats-server-stream",
		{"github.com/nats-io/nats-server/v2/server.(*consumer).loopAndGatherMsgs",
			"github.com/nats-io/nats-server/v2/server.(*consumer).setLeader.func1"}},
	{"nats-server-service",
		{"github.com/nats-io/nats-server/v2/server.(*Server).internalSendLoop",
			"github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"}},
	{"prometheus-service", {"github.com/prometheus/prometheus/tsdb.(*DB).run"}},
	{"prometheus-service-loop",
		{"github.com/prometheus/prometheus/rules.(*Manager).Run", "main.main.func22",
			"github.com/oklog/run.(*Group).Run.func1"}},
	{"victoriametrics-scrape",
		{"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape.(*scrapeWork).run",
			"github.com/VictoriaMetrics/VictoriaMetrics/lib/"
			"promscrape.(*scraperGroup).update.func1",
			"sync.(*WaitGroup).Go.func1"}},
	{"victoriametrics-discovery",
		{"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape.(*scrapeConfig).run",
			"sync.(*WaitGroup).Go.func1"}},
	{"victoriametrics-remote-write", {"github.com/VictoriaMetrics/VictoriaMetrics/app/vmagent/"
					  "remotewrite.(*client).runWorker",
						 "sync.(*WaitGroup).Go.func1"}},
	{"victoriametrics-service",
		{"github.com/VictoriaMetrics/VictoriaMetrics/lib/blockcache.(*Cache).cleaner"}},
	{"influxdb-shard",
		{"github.com/influxdata/influxdb/tsdb/engine/tsm1.(*Engine).compactCache",
			"github.com/influxdata/influxdb/tsdb/engine/"
			"tsm1.(*Engine).enableSnapshotCompactions.func1"}},
	{"influxdb-service",
		{"github.com/influxdata/influxdb/services/retention.(*Service).run",
			"github.com/influxdata/influxdb/services/retention.(*Service).Open.func1"}},
	{"syncthing-service",
		{"github.com/syncthing/syncthing/lib/events.(*bufferedSubscription).pollingLoop"}},
	{"cadvisor-container",
		{"github.com/google/cadvisor/manager.(*containerData).housekeepingTick",
			"github.com/google/cadvisor/manager.(*containerData).housekeeping"}},
	{"cadvisor-service", {"github.com/google/cadvisor/manager.(*manager).globalHousekeeping"}},
	{"containerd-service",
		{"github.com/containerd/containerd/gc/scheduler.(*gcScheduler).run"}},
	{"mtail-service", {"github.com/google/mtail/internal/tailer.(*Tailer).StartGcLoop.func1"}},
	{"gobgp-service", {"github.com/osrg/gobgp/pkg/server.(*BgpServer).Serve"}},
	{"caddy-service", {"github.com/caddyserver/caddy/v2.trapSignalsCrossPlatform.func1"}},
	{"caddy-module",
		{"github.com/caddyserver/caddy/v2/modules/caddytls.(*TLS).keepStorageClean.func1"}},
	{"docker-registry", {"github.com/docker/distribution/notifications.(*Broadcaster).run"}},
	{"rclone-service", {"github.com/rclone/rclone/lib/atexit.Register.func1.1"}},
	{"exec-wait", {"os.(*Process).pidfdWait", "os.(*Process).Wait"}},
	{"testing", {"testing.(*T).Parallel", "testing.tRunner"}},
	{"main-function", {"main.run", "main.main"}},
	{"mongo-client", {"go.mongodb.org/mongo-driver/x/mongo/driver/topology.(*pool).maintain"}},
	{"etcd-client", {"go.etcd.io/etcd/client/v3.(*Client).autoSync"}},
	{"opentelemetry", {"go.opentelemetry.io/otel/sdk/log.NewBatchProcessor.func1"}},
	{"logging", {"io.(*PipeReader).Read", "bufio.(*Scanner).Scan",
			    "github.com/sirupsen/logrus.(*Entry).writerScanner"}},
	{"aws-sdk", {"github.com/aws/aws-sdk-go-v2/service/"
		     "kinesis.(*SubscribeToShardEventStream).waitStreamClose"}},
	{"google-cloud", {"cloud.google.com/go/spanner.(*healthChecker).worker"}},
	{"hashicorp-cluster",
		{"net.(*conn).Read", "github.com/hashicorp/memberlist.(*NetTransport).udpListen"}},
	{"kubernetes-client", {"k8s.io/client-go/tools/cache.(*processorListener).pop"}},
	{"redis-pool", {"github.com/go-redis/redis/v8/internal/pool.(*ConnPool).reaper"}},
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
	/* also inside a library that runs it */
	{"github.com/segmentio/kafka-go.(*Reader).FetchMessage < main.consume",
		{"sync.(*Cond).Wait", "github.com/segmentio/kafka-go.(*Reader).FetchMessage",
			"main.consume"}},
	{"main.refresh < github.com/robfig/cron/v3.(*Cron).startJob",
		{"time.Sleep", "main.refresh", "github.com/robfig/cron/v3.FuncJob.Run",
			"github.com/robfig/cron/v3.(*Cron).startJob.func1"}},
	{"main.serve < github.com/oklog/run.(*Group).Run",
		{"main.serve", "github.com/oklog/run.(*Group).Run.func1"}},
	{"main.(*svc).Serve < github.com/thejerf/suture/v4.(*Supervisor).runService",
		{"main.(*svc).Serve",
			"github.com/thejerf/suture/v4.(*Supervisor).runService.func2"}},
	{"main.onReading < github.com/eclipse/paho.mqtt.golang.(*router).matchAndDispatch",
		{"main.onReading", "github.com/eclipse/"
				   "paho%2emqtt%2egolang.(*router).matchAndDispatch.func2"}},
	{"main.task < github.com/panjf2000/ants/v2.(*goWorker).run",
		{"time.Sleep", "main.task", "github.com/panjf2000/ants/v2.(*goWorker).run.func1"}},
	{"main.fetch < golang.org/x/sync/errgroup.(*Group).Go",
		{"main.fetch", "golang.org/x/sync/errgroup.(*Group).Go.func1"}},
	{"main.main", {"main.main.func3"}}, /* a closure of main is no main */
	{"main.(*r).Reconcile < "
	 "sigs.k8s.io/controller-runtime/pkg/internal/controller.(*Controller[...]).Start",
		{"main.(*r).Reconcile",
			"sigs.k8s.io/controller-runtime/pkg/internal/"
			"controller.(*Controller[...]).Reconcile",
			"sigs.k8s.io/controller-runtime/pkg/internal/"
			"controller.(*Controller[...]).Start.func2.2"}},
	{"main.hello < net/http.(*conn).serve",
		{"main.hello", "net/http.HandlerFunc.ServeHTTP",
			"github.com/caddyserver/caddy/v2/modules/caddyhttp.(*Server).ServeHTTP",
			"net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"}},
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

/* ---- real programs ----------------------------------------------------------------------------
 */
static const char *corpus(void)
{
	const char *dir = getenv("LEAKWATCH_CORPUS");

	return dir ? dir : "../shared/corpus";
}

/* Dumps of programs that were written to be dumped: their goroutines are in code of their own. */
static bool is_captured_program(const char *name)
{
	return strstr(name, ".txt") && strncmp(name, "leaker-", 7) != 0 &&
	       strncmp(name, "crash-", 6) != 0 && !strstr(name, "goroutineleak");
}

static bool has_rule(const struct rule *rules, size_t n, struct str class_name)
{
	for (size_t i = 0; i < n; i++) {
		if (classifier_is_of(&rules[i], class_name))
			return true;
	}
	return false;
}

struct count {
	uint64_t all, left;
	unsigned files;
};

static void count_file(const char *path, const struct classifier *c, const struct rule *rules,
	size_t n, struct count *count)
{
	struct report *r = report_new(c, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;
	char piece[65536];
	size_t got;
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	while ((got = fread(piece, 1, sizeof(piece), f)) > 0)
		gdump_feed(g, piece, got);
	fclose(f);
	/* Metrics, other profiles and dumps inside of logs are no part of it. */
	if (gdump_finish(g, &err) == 0 && gdump_stats(g)->format != GDUMP_COUNT) {
		report_end(r, gdump_stats(g));
		count->files++;
		for (size_t i = 0; i < report_class_count(r); i++) {
			struct str name;
			uint64_t k = report_class_at(r, i, &name);

			count->all += k;
			count->left += has_rule(rules, n, name) ? 0 : k;
		}
	}
	gdump_free(g);
	report_free(r);
}

static void few_goroutines_of_real_programs_have_no_rule(void **state)
{
	struct arena a = ARENA_INIT;
	struct config_errors errs;
	struct err err = ERR_INIT;
	struct count count = {0};
	struct classifier *c;
	struct rule *rules;
	struct dirent *e;
	char path[4400];
	size_t n;
	DIR *d;

	(void)state;
	snprintf(path, sizeof(path), "%s/captured", corpus());
	d = opendir(path);
	if (!d) {
		print_message("no %s: skipped\n", path);
		skip();
	}
	config_errors_init(&errs);
	assert_int_equal(
		config_parse_rules(str_of(builtin_rules_yaml), true, &a, &rules, &n, &errs), 0);
	c = classifier_new(rules, n, &err);
	while ((e = readdir(d)) != NULL) {
		if (!is_captured_program(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/captured/%s", corpus(), e->d_name);
		count_file(path, c, rules, n, &count);
	}
	closedir(d);
	print_message("%u dumps: %llu of %llu goroutines have no rule\n", count.files,
		(unsigned long long)count.left, (unsigned long long)count.all);
	assert_true(count.files > 50 && count.all > 1000);
	assert_true(count.left * 100 <= count.all * LEFT_MOST);
	classifier_free(c);
	config_errors_release(&errs);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_takes_what_it_is_meant_for),
		cmocka_unit_test(few_goroutines_of_real_programs_have_no_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
