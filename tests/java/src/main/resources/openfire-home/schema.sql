// The tables that Openfire 4.2.0 asks for, as far as these tests make it ask. Openfire reads this file on its first start.

CREATE TABLE ofVersion (name VARCHAR(50) PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE ofProperty (name VARCHAR(100) PRIMARY KEY, propValue VARCHAR(4000) NOT NULL, encrypted INTEGER, iv VARCHAR(24));
CREATE TABLE ofID (idType INTEGER PRIMARY KEY, id BIGINT NOT NULL);

CREATE TABLE ofUser (username VARCHAR(64) PRIMARY KEY, plainPassword VARCHAR(32), encryptedPassword VARCHAR(255), iterations INTEGER, salt VARCHAR(64), storedKey VARCHAR(64), serverKey VARCHAR(64), name VARCHAR(100), email VARCHAR(100), creationDate VARCHAR(15) NOT NULL, modificationDate VARCHAR(15) NOT NULL);
CREATE TABLE ofUserProp (username VARCHAR(64), name VARCHAR(100), propValue LONGVARCHAR, PRIMARY KEY (username, name));
CREATE TABLE ofUserFlag (username VARCHAR(64), name VARCHAR(100), startTime VARCHAR(15), endTime VARCHAR(15), PRIMARY KEY (username, name));
CREATE TABLE ofVCard (username VARCHAR(64) PRIMARY KEY, vcard LONGVARCHAR);
CREATE TABLE ofPrivate (username VARCHAR(64), name VARCHAR(100), namespace VARCHAR(200), privateData LONGVARCHAR, PRIMARY KEY (username, name, namespace));
CREATE TABLE ofPrivacyList (username VARCHAR(64), name VARCHAR(100), isDefault INTEGER, list LONGVARCHAR, PRIMARY KEY (username, name));
CREATE TABLE ofPresence (username VARCHAR(64) PRIMARY KEY, offlinePresence LONGVARCHAR, offlineDate VARCHAR(15) NOT NULL);
CREATE TABLE ofOffline (username VARCHAR(64), messageID BIGINT, creationDate VARCHAR(15) NOT NULL, messageSize INTEGER NOT NULL, stanza LONGVARCHAR NOT NULL, PRIMARY KEY (username, messageID));

CREATE TABLE ofRoster (rosterID BIGINT PRIMARY KEY, username VARCHAR(64) NOT NULL, jid VARCHAR(1024) NOT NULL, sub INTEGER NOT NULL, ask INTEGER NOT NULL, recv INTEGER NOT NULL, nick VARCHAR(255));
CREATE INDEX ofRoster_username ON ofRoster (username);
CREATE INDEX ofRoster_jid ON ofRoster (jid);
CREATE TABLE ofRosterGroups (rosterID BIGINT, rank INTEGER, groupName VARCHAR(255) NOT NULL, PRIMARY KEY (rosterID, rank));

CREATE TABLE ofGroup (groupName VARCHAR(50) PRIMARY KEY, description VARCHAR(255));
CREATE TABLE ofGroupProp (groupName VARCHAR(50), name VARCHAR(100), propValue LONGVARCHAR, PRIMARY KEY (groupName, name));
CREATE TABLE ofGroupUser (groupName VARCHAR(50), username VARCHAR(100), administrator INTEGER, PRIMARY KEY (groupName, username, administrator));

CREATE TABLE ofExtComponentConf (subdomain VARCHAR(255), wildcard INTEGER, secret VARCHAR(255), permission VARCHAR(10) NOT NULL, PRIMARY KEY (subdomain, wildcard));
CREATE TABLE ofRemoteServerConf (xmppDomain VARCHAR(255) PRIMARY KEY, remotePort INTEGER, permission VARCHAR(10) NOT NULL);
CREATE TABLE ofSecurityAuditLog (msgID BIGINT PRIMARY KEY, username VARCHAR(64), entryStamp BIGINT, summary VARCHAR(255), node VARCHAR(255), details LONGVARCHAR);

CREATE TABLE ofMucService (serviceID BIGINT PRIMARY KEY, subdomain VARCHAR(255) NOT NULL, description VARCHAR(255), isHidden INTEGER NOT NULL);
CREATE TABLE ofMucServiceProp (serviceID BIGINT, name VARCHAR(100), propValue LONGVARCHAR, PRIMARY KEY (serviceID, name));

CREATE TABLE ofPubsubNode (serviceID VARCHAR(100), nodeID VARCHAR(100), leaf INTEGER, creationDate VARCHAR(15), modificationDate VARCHAR(15), parent VARCHAR(100), deliverPayloads INTEGER, maxPayloadSize INTEGER, persistItems INTEGER, maxItems INTEGER, notifyConfigChanges INTEGER, notifyDelete INTEGER, notifyRetract INTEGER, presenceBased INTEGER, sendItemSubscribe INTEGER, publisherModel VARCHAR(15), subscriptionEnabled INTEGER, configSubscription INTEGER, accessModel VARCHAR(15), payloadType VARCHAR(100), bodyXSLT VARCHAR(100), dataformXSLT VARCHAR(100), creator VARCHAR(1024), description VARCHAR(255), language VARCHAR(255), name VARCHAR(50), replyPolicy VARCHAR(15), associationPolicy VARCHAR(15), maxLeafNodes INTEGER, PRIMARY KEY (serviceID, nodeID));
CREATE TABLE ofPubsubNodeJIDs (serviceID VARCHAR(100), nodeID VARCHAR(100), jid VARCHAR(1024), associationType VARCHAR(20), PRIMARY KEY (serviceID, nodeID, jid));
CREATE TABLE ofPubsubNodeGroups (serviceID VARCHAR(100), nodeID VARCHAR(100), rosterGroup VARCHAR(100));
CREATE TABLE ofPubsubAffiliation (serviceID VARCHAR(100), nodeID VARCHAR(100), jid VARCHAR(1024), affiliation VARCHAR(10), PRIMARY KEY (serviceID, nodeID, jid));
CREATE TABLE ofPubsubItem (serviceID VARCHAR(100), nodeID VARCHAR(100), id VARCHAR(100), jid VARCHAR(1024), creationDate VARCHAR(15), payload LONGVARCHAR, PRIMARY KEY (serviceID, nodeID, id));
CREATE TABLE ofPubsubSubscription (serviceID VARCHAR(100), nodeID VARCHAR(100), id VARCHAR(100), jid VARCHAR(1024), owner VARCHAR(1024), state VARCHAR(15), deliver INTEGER, digest INTEGER, digest_frequency INTEGER, expire VARCHAR(15), includeBody INTEGER, showValues VARCHAR(30), subscriptionType VARCHAR(10), subscriptionDepth INTEGER, keyword VARCHAR(200), PRIMARY KEY (serviceID, nodeID, id));
CREATE TABLE ofPubsubDefaultConf (serviceID VARCHAR(100), leaf INTEGER, deliverPayloads INTEGER, maxPayloadSize INTEGER, persistItems INTEGER, maxItems INTEGER, notifyConfigChanges INTEGER, notifyDelete INTEGER, notifyRetract INTEGER, presenceBased INTEGER, sendItemSubscribe INTEGER, publisherModel VARCHAR(15), subscriptionEnabled INTEGER, accessModel VARCHAR(15), language VARCHAR(255), replyPolicy VARCHAR(15), associationPolicy VARCHAR(15), maxLeafNodes INTEGER, PRIMARY KEY (serviceID, leaf));

INSERT INTO ofVersion (name, version) VALUES ('openfire', 26);
INSERT INTO ofUser (username, plainPassword, name, creationDate, modificationDate) VALUES ('admin', 'admin', 'Administrator', '0', '0');
