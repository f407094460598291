#include "notify.h"
#include "map.h"
#include "notify_internal.h"
#include "safe.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SECRET_PREFIX "whsec_"
#define NO_TIME	      "0001-01-01T00:00:00Z" /* Go's zero time: what endsAt is while it fires */
#define MS_9999	      253402300799999 /* the last millisecond of the year 9999 */

void notify_time(int64_t at_ms, char *out)
{
	int64_t ms = at_ms < 0 ? 0 : MIN(at_ms, MS_9999);
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char day[40];

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, NOTIFY_TIME_MAX, "%.19s.%03dZ", day, (int)(ms % 1000));
}

/* ---- the body -------------------------------------------------------------------------------- */

json_t *notify_json_labels(const struct alert_labels *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		json_object_set_new(o, l->v[i].key.p, json_str(l->v[i].value));
	return o;
}

json_t *notify_json_time(int64_t at_ms)
{
	char text[NOTIFY_TIME_MAX];

	notify_time(at_ms, text);
	return json_string(text);
}

void notify_add_page(struct buf *out, const struct alert *a, struct str external_url)
{
	if (!external_url.len)
		return;
	while (str_ends(external_url, STR("/")))
		external_url.len--;
	buf_addstr(out, external_url);
	buf_addf(out, "/alerts/%s", a->id);
}

json_t *notify_json_annotations(const struct alert *a, struct str external_url)
{
	json_t *o = notify_json_labels(&a->annotations);
	struct buf page = BUF_INIT;

	json_object_set_new(o, "look_further", json_sprintf("leakwatch alerts show %s", a->id));
	notify_add_page(&page, a, external_url);
	if (page.len)
		json_object_set_new(o, "page", json_str(buf_str(&page)));
	buf_release(&page);
	return o;
}

json_t *notify_json_fingerprint(const struct alert_labels *l)
{
	struct buf text = BUF_INIT;
	json_t *j;

	alert_labels_text(l, &text);
	j = json_sprintf("%016" PRIx64, hash64(text.p, text.len, 0));
	buf_release(&text);
	return j;
}

static json_t *alert_of(const struct alert *a, struct str external_url)
{
	bool over = a->state == ALERT_RESOLVED;
	json_t *o = json_object();
	struct buf page = BUF_INIT;

	notify_add_page(&page, a, external_url);
	json_object_set_new(o, "status", json_string(over ? "resolved" : "firing"));
	json_object_set_new(o, "labels", notify_json_labels(&a->labels));
	json_object_set_new(o, "annotations", notify_json_annotations(a, external_url));
	json_object_set_new(o, "startsAt", notify_json_time(a->fired_ms));
	json_object_set_new(
		o, "endsAt", over ? notify_json_time(a->resolved_ms) : json_string(NO_TIME));
	json_object_set_new(o, "generatorURL", json_str(buf_str(&page)));
	buf_release(&page);
	json_object_set_new(o, "fingerprint", notify_json_fingerprint(&a->labels));
	return o;
}

/* Takes out of common what l does not have, or has otherwise. */
static void keep_common(struct alert_labels *common, const struct alert_labels *l)
{
	for (size_t i = common->n; i-- > 0;) {
		struct str key = common->v[i].key;

		if (!alert_labels_has(l, key) ||
			!str_eq(alert_labels_get(l, key.p), common->v[i].value))
			alert_labels_remove(common, key);
	}
}

void notify_group_labels(const struct notify_group *g, struct alert_labels *out)
{
	const struct alert_labels *all = &g->alerts[0]->labels;

	if (!g->group_by) {
		alert_labels_copy(out, all);
		return;
	}
	for (size_t i = 0; i < g->ngroup_by; i++) {
		if (alert_labels_has(all, str_of(g->group_by[i])))
			alert_labels_put(
				out, str_of(g->group_by[i]), alert_labels_get(all, g->group_by[i]));
	}
}

size_t notify_firing(const struct notify_group *g)
{
	size_t n = g->truncated_firing;

	for (size_t i = 0; i < g->n; i++)
		n += g->alerts[i]->state != ALERT_RESOLVED;
	return n;
}

struct str notify_common(const struct notify_group *g, const char *label)
{
	struct str first = alert_labels_get(&g->alerts[0]->labels, label);

	for (size_t i = 1; i < g->n; i++) {
		if (!str_eq(first, alert_labels_get(&g->alerts[i]->labels, label)))
			return STR("");
	}
	return first;
}

void notify_add_common(struct buf *out, const struct notify_group *g)
{
	static const char *const labels[] = {"alertname", "job", "class"};

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		struct str value = notify_common(g, labels[i]);

		if (value.len) {
			buf_addc(out, ' ');
			safe_add(out, value);
		}
	}
}

/* Takes the document over the labels and releases them. */
static void set_labels(json_t *doc, const char *name, struct alert_labels *l)
{
	json_object_set_new(doc, name, notify_json_labels(l));
	alert_labels_release(l);
}

void notify_webhook(const struct notify_group *g, struct buf *out)
{
	struct alert_labels group = ALERT_LABELS_INIT, labels = ALERT_LABELS_INIT,
			    annotations = ALERT_LABELS_INIT;
	json_t *doc = json_object(), *alerts = json_array();
	struct buf key = BUF_INIT;

	assert(g->n > 0);
	notify_group_labels(g, &group);
	buf_adds(&key, "{}:");
	alert_labels_text(&group, &key);
	alert_labels_copy(&labels, &g->alerts[0]->labels);
	alert_labels_copy(&annotations, &g->alerts[0]->annotations);
	for (size_t i = 0; i < g->n; i++) {
		json_array_append_new(alerts, alert_of(g->alerts[i], g->external_url));
		keep_common(&labels, &g->alerts[i]->labels);
		keep_common(&annotations, &g->alerts[i]->annotations);
	}
	json_object_set_new(doc, "version", json_string("4"));
	json_object_set_new(doc, "groupKey", json_str(buf_str(&key)));
	json_object_set_new(doc, "truncatedAlerts", json_integer((json_int_t)g->truncated));
	json_object_set_new(doc, "status", json_string(notify_firing(g) ? "firing" : "resolved"));
	json_object_set_new(doc, "receiver", json_str(g->receiver));
	set_labels(doc, "groupLabels", &group);
	set_labels(doc, "commonLabels", &labels);
	set_labels(doc, "commonAnnotations", &annotations);
	json_object_set_new(doc, "externalURL", json_str(g->external_url));
	json_object_set_new(doc, "alerts", alerts);
	json_write(doc, out);
	json_decref(doc);
	buf_release(&key);
}

void notify_webhook_id(const char *alert_id, unsigned change, struct str receiver, char *out)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s %u ", alert_id, change);
	buf_addstr(&b, receiver);
	snprintf(out, NOTIFY_ID_MAX, "lw_%016" PRIx64 "%016" PRIx64, hash64(b.p, b.len, 1),
		hash64(b.p, b.len, 2));
	buf_release(&b);
}

/* ---- the signature --------------------------------------------------------------------------- */

static bool is_base64(struct str s)
{
	size_t pad = 0;

	while (pad < 2 && pad < s.len && s.p[s.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i + pad < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '+' || c == '/'))
			return false;
	}
	return s.len > 0 && s.len % 4 == 0;
}

/* The key's length in out, which has room for a secret of the greatest length; -1 with err. */
static int decode_secret(struct str secret, unsigned char *out, struct err *err)
{
	struct str text = str_trim(secret);
	int n;

	if (text.len == 0)
		return err_set(err, "the signing secret is empty");
	if (text.len > NOTIFY_SECRET_BYTES)
		return err_set(
			err, "the signing secret is longer than %d bytes", NOTIFY_SECRET_BYTES);
	if (!str_starts(text, STR(SECRET_PREFIX))) {
		memcpy(out, text.p, text.len);
		return (int)text.len;
	}
	text = str_from(text, strlen(SECRET_PREFIX));
	n = is_base64(text) ? EVP_DecodeBlock(out, (const unsigned char *)text.p, (int)text.len)
			    : -1;
	if (n <= 0)
		return err_set(err, "the signing secret is not base64 after \"" SECRET_PREFIX
				    "\" (made for instance by: echo " SECRET_PREFIX
				    "$(head -c 32 /dev/urandom | base64))");
	/* EVP_DecodeBlock counts the padding as bytes. */
	return n - (text.p[text.len - 1] == '=') - (text.p[text.len - 2] == '=');
}

int notify_sign(struct str secret, const char *webhook_id, int64_t timestamp_s, struct str body,
	char *out, struct err *err)
{
	unsigned char key[NOTIFY_SECRET_BYTES], mac[EVP_MAX_MD_SIZE];
	int key_len = decode_secret(secret, key, err);
	struct buf text = BUF_INIT;
	unsigned mac_len = 0;

	if (key_len < 0)
		return -1;
	buf_addf(&text, "%s.%" PRId64 ".", webhook_id, timestamp_s);
	buf_addstr(&text, body);
	if (!HMAC(EVP_sha256(), key, key_len, (const unsigned char *)text.p, text.len, mac,
		    &mac_len))
		mac_len = 0;
	OPENSSL_cleanse(key, sizeof(key));
	buf_release(&text);
	if (mac_len != 32)
		return err_set(err, "HMAC-SHA256 is not available in this OpenSSL");
	memcpy(out, "v1,", 3);
	EVP_EncodeBlock((unsigned char *)out + 3, mac, (int)mac_len);
	return 0;
}
