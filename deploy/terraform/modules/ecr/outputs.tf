output "url" {
  description = "Repository for pushing and pulling images, without a tag."
  value       = aws_ecr_repository.main.repository_url
}

output "arn" {
  description = "The repository, for policies."
  value       = aws_ecr_repository.main.arn
}

output "name" {
  description = "The repository's name."
  value       = aws_ecr_repository.main.name
}
