package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The certificate of all servers here: made when it is needed first, self-signed, and trusted by no one but our clients. */
final class TestCertificate {
    private static final String STORE_TYPE = "JKS";
    private static final char[] PASSWORD = "changeit".toCharArray();

    private static KeyStore made;

    private TestCertificate() {}

    /** A key store as a server has it that has been set up without TLS. */
    static KeyStore none() throws IOException, GeneralSecurityException {
        KeyStore empty = KeyStore.getInstance(STORE_TYPE);
        empty.load(null, PASSWORD);
        return empty;
    }

    /** Key and certificate, for any domain below "test". */
    static synchronized KeyStore store() throws IOException, GeneralSecurityException {
        if (made == null) {
            Path folder = Files.createTempDirectory(Products.folder("servers"), "certificate");
            Path file = folder.resolve("keystore");
            try {
                generate(file, folder.resolve("keytool.log"));
                KeyStore keys = KeyStore.getInstance(STORE_TYPE);
                try (InputStream in = Files.newInputStream(file)) {
                    keys.load(in, PASSWORD);
                }
                made = keys;
            } finally {
                Folders.delete(folder);
            }
        }
        return made;
    }

    /** Openfire wants one password for the store and for the key in it. */
    private static void generate(Path file, Path log) throws IOException {
        Process keytool = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                        "-genkeypair",
                        "-alias", "test_rsa",
                        "-keyalg", "RSA",
                        "-keysize", "2048",
                        "-dname", "CN=*.test",
                        "-ext", "san=dns:*.test",
                        "-storetype", STORE_TYPE,
                        "-keystore", file.toString(),
                        "-storepass", new String(PASSWORD),
                        "-keypass", new String(PASSWORD)))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            if (keytool.waitFor() != 0) {
                throw new IOException("keytool made no certificate: " + Files.readString(log));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    static void write(KeyStore store, Path file) throws IOException, GeneralSecurityException {
        try (OutputStream out = Files.newOutputStream(file)) {
            store.store(out, PASSWORD);
        }
    }

    /** For clients that accept this certificate and no other. */
    static SSLContext trusting() throws IOException, GeneralSecurityException {
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        KeyStore known = none();
        KeyStore store = store();
        known.setCertificateEntry("test", store.getCertificate(store.aliases().nextElement()));
        trusted.init(known);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, trusted.getTrustManagers(), null);
        return tls;
    }
}
