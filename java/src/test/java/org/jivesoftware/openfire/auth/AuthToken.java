package org.jivesoftware.openfire.auth;

/** Openfire's, as it is since 4.3.1, in the place of the one that we compile against: as far as we use it. */
public class AuthToken {
    private final String username;

    public AuthToken(String username) {
        this.username = username;
    }

    public String getUsername() {
        return username;
    }

    /** For who was locked out. Nobody is called like that. */
    public static final class OneTimeAuthToken extends AuthToken {
        public OneTimeAuthToken(String token) {
            super(token);
        }
    }
}
