-- A journal as version 1 wrote it: never to be changed.
PRAGMA application_id = 2017554017;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE bucket (
        hour INTEGER NOT NULL, -- since the Unix epoch
        item INTEGER NOT NULL,
        state INTEGER NOT NULL, -- 0 cut, 1 running, 2 complete
        source INTEGER NOT NULL,
        metrics INTEGER NOT NULL, -- the metric_list of figures
        figures BLOB NOT NULL, -- see exporter/journal/figures.py
        first_seen INTEGER NOT NULL, -- this and the next two: Unix milliseconds
        last_changed INTEGER NOT NULL,
        completed_at INTEGER, -- first told complete, with a number
        was_newest INTEGER NOT NULL, -- 1: no later hour of the item came complete in the same answer
        revisions INTEGER NOT NULL,
        PRIMARY KEY (hour, item)
    ) WITHOUT ROWID
    ;
INSERT INTO "bucket" VALUES(489973,3,0,2,2,X'2220090909',1764003900000,1764003900000,NULL,0,0);
INSERT INTO "bucket" VALUES(489998,1,2,1,1,X'250C000000D088C3F041',1764000300000,1764000300000,1764000300000,0,0);
INSERT INTO "bucket" VALUES(489999,1,2,1,1,X'10',1764000300000,1764000300000,1764000300000,1,0);
INSERT INTO "bucket" VALUES(489999,2,2,2,2,X'32502D0102000000000000E03F',1764000299500,1764003900000,1764000299500,1,1);
INSERT INTO "bucket" VALUES(490000,2,1,2,2,X'201001',1764000299500,1764000299500,NULL,0,0);
INSERT INTO "bucket" VALUES(490000,3,2,2,2,X'425070110100FF000000000000F0BF',1764003900000,1764003900000,1764003900000,1,0);
CREATE TABLE item (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        newest INTEGER -- newest complete hour with a number
    );
INSERT INTO "item" VALUES(1,'13_1880028106020515840','brand','media',489999);
INSERT INTO "item" VALUES(2,'1880028106020515841','brand','post',489999);
INSERT INTO "item" VALUES(3,'1879000000000000001','other','post',490000);
CREATE TABLE journal (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "journal" VALUES('created_at','1764003900.0');
INSERT INTO "journal" VALUES('outbox','open');
CREATE TABLE mark (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "mark" VALUES('channel/brand/insights_28hr','{"a":1}');
CREATE TABLE metric_list (number INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
INSERT INTO "metric_list" VALUES(1,'video_views,watch_time_ms');
INSERT INTO "metric_list" VALUES(2,'impressions,likes,video_views');
CREATE TABLE outbox (
        hour INTEGER NOT NULL,
        item INTEGER NOT NULL,
        metrics INTEGER,
        figures BLOB,
        PRIMARY KEY (hour, item)
    ) WITHOUT ROWID
    ;
INSERT INTO "outbox" VALUES(489998,1,1,X'250C000000D088C3F041');
INSERT INTO "outbox" VALUES(489999,1,NULL,NULL);
INSERT INTO "outbox" VALUES(489999,2,NULL,NULL);
INSERT INTO "outbox" VALUES(490000,3,NULL,NULL);
CREATE TABLE source (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO "source" VALUES(1,'media_analytics');
INSERT INTO "source" VALUES(2,'insights_28hr');
CREATE TABLE state (
        item INTEGER PRIMARY KEY,
        up INTEGER, -- 1, 0, or NULL while unknown
        metrics INTEGER NOT NULL, -- the metric_list of total
        total BLOB,
        answered_at REAL, -- Unix seconds
        problems TEXT NOT NULL -- JSON: [id or null, type, detail] each
    );
INSERT INTO "state" VALUES(2,1,2,X'2050050000000000000440',1764000299.5,'[[null,"not_authorized_for_field","not for you: ☃"]]');
INSERT INTO "state" VALUES(3,1,2,X'2050050000000000000440',1764003900.0,'[[null,"not_authorized_for_field","not for you: ☃"]]');
CREATE VIEW hours AS
    SELECT
        item.id,
        item.account,
        item.kind,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.hour * 3600, 'unixepoch') AS hour_start,
        CASE bucket.state WHEN 0 THEN 'cut' WHEN 1 THEN 'running' ELSE 'complete' END AS state,
        source.name AS source,
        metric_list.names AS metrics,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.first_seen / 1000, 'unixepoch') AS first_seen,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.last_changed / 1000, 'unixepoch') AS last_changed,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.completed_at / 1000, 'unixepoch') AS completed_at,
        bucket.revisions,
        hex(bucket.figures) AS figures
    FROM bucket
    JOIN item ON item.number = bucket.item
    JOIN source ON source.number = bucket.source
    JOIN metric_list ON metric_list.number = bucket.metrics;
COMMIT;
