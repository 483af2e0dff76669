import Testing

@testable import HTTP1

struct OriginTests {
    @Test(arguments: [
        ("https://app.example.com", "https://app.example.com"), ("HTTPS://App.Example.com", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"), ("http://a:80", "http://a"), ("https://a:443", "https://a"),
        ("http://a:443", "http://a:443"), ("https://[::1]:8443", "https://[::1]:8443"),
        ("https://[::1]:443", "https://[::1]"),
    ])
    func `is written as browsers do`(text: String, expected: String) {
        #expect(Origin(text)?.text == expected)
    }

    @Test(arguments: [
        "", "*", "null", "app.example.com", "https://", "https:///", "https://a/", "https://a/b",
        "https://*.example.com", "https://ä.example.com", "https://%61.example.com",
        "ftp://a", "https://a b", "https://a,https://b", "https://u@a", "https://a:", "https://a:70000", "https://a?b",
        "https://a#b", "https://a:x", "file://",
    ])
    func `is no other text`(text: String) {
        #expect(Origin(text) == nil)
    }
}
