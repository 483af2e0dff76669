import Testing

@testable import AWS

struct CredentialsTests {
    private func credentials(
        id: String = keys.id, secret: String = keys.secret, token: String? = nil
    ) throws(CredentialsError) -> Credentials {
        try Credentials(
            source: .environment, accessKeyID: id, secretAccessKey: Redacted(secret),
            sessionToken: token.map(Redacted.init))
    }

    @Test(arguments: ["", "A:B", "A B", "A/B", "A,B", "A\r\nB", "é"])
    func `an access key id that is too long for the signature field is rejected`(id: String) {
        #expect(throws: CredentialsError.unusable(.environment, .accessKeyID)) { try credentials(id: id) }
    }

    @Test(arguments: ["", "a:b", "a b", "a\n", "é"])
    func `a key with invalid characters is rejected`(secret: String) {
        #expect(throws: CredentialsError.unusable(.environment, .secretAccessKey)) { try credentials(secret: secret) }
    }

    @Test(arguments: ["a\r\nX: y", "a b"])
    func `a token that is too long for a field is rejected`(token: String) {
        #expect(throws: CredentialsError.unusable(.environment, .sessionToken)) { try credentials(token: token) }
    }

    @Test func `an empty token counts as none`() throws {
        #expect(try credentials(token: "").sessionToken == nil)
    }

    @Test func `no rendering contains key or token`() throws {
        let shown = renderings(of: try credentials(token: keys.token))
        #expect(shown.contains(keys.id) && !shown.contains(keys.secret) && !shown.contains(keys.token))
    }
}
