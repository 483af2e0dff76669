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
    func `an id that would not fit into the signature's field is refused`(id: String) {
        #expect(throws: CredentialsError.unusable(.environment, .accessKeyID)) { try credentials(id: id) }
    }

    @Test(arguments: ["", "a:b", "a b", "a\n", "é"])
    func `a key with what no key has in it is refused`(secret: String) {
        #expect(throws: CredentialsError.unusable(.environment, .secretAccessKey)) { try credentials(secret: secret) }
    }

    @Test(arguments: ["a\r\nX: y", "a b"])
    func `a token that would not fit into a field is refused`(token: String) {
        #expect(throws: CredentialsError.unusable(.environment, .sessionToken)) { try credentials(token: token) }
    }

    @Test func `an empty token is none`() throws {
        #expect(try credentials(token: "").sessionToken == nil)
    }

    @Test func `neither key nor token is in any rendering`() throws {
        let shown = renderings(of: try credentials(token: keys.token))
        #expect(shown.contains(keys.id) && !shown.contains(keys.secret) && !shown.contains(keys.token))
    }
}
