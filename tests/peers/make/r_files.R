# Writes the files of the folder `r`: data frames, as R 4.2.2, readr 2.1.4, data.table 1.14.8 and
# jsonlite 1.8.4 store them.
#
#     Rscript tests/peers/make/r_files.R tests/peers/files/r
folder <- commandArgs(trailingOnly = TRUE)[1]
dir.create(folder, showWarnings = FALSE)
at <- function(name) file.path(folder, name)
logits <- data.frame(setosa = c(2, 0.25, 1, -2.5, 0.5), versicolor = c(1, 1.5, -0.125, 0.75, 0.5),
                     virginica = c(0.5, -1, 3, 1.25, 0))
species <- factor(c("setosa", "versicolor", "virginica", "setosa", "versicolor"),
                  levels = names(logits))
labelled <- cbind(logits, label = species)
flowers <- labelled
rownames(flowers) <- c("f1003", "f1001", "f1008", "f1002", "f1010")

write.table(labelled, at("table.txt"))
write.table(flowers, at("rownames.txt"))
write.table(labelled, at("tabs.tsv"), sep = "\t", quote = FALSE)
write.table(labelled, at("plain.txt"), quote = FALSE, row.names = FALSE)
write.table(labelled, at("col_names_na.csv"), sep = ",", col.names = NA)
write.table(flowers, at("short.csv"), sep = ",")
write.csv(labelled, at("csv.csv"))
write.csv(labelled, at("no_rownames.csv"), row.names = FALSE)
write.csv(flowers, at("rownames.csv"))
write.csv2(labelled, at("csv2.csv"))
write.csv2(labelled, at("csv2_no_rownames.csv"), row.names = FALSE)
missing <- logits
missing[2, 3] <- NA
write.table(missing, at("missing.txt"))
write.csv(missing, at("missing.csv"), row.names = FALSE)
write.table(as.matrix(logits), at("matrix.txt"), col.names = FALSE, row.names = FALSE)
write.csv(unname(as.matrix(logits)), at("matrix.csv"), row.names = FALSE)
write.csv(as.integer(species), at("codes.csv"), row.names = FALSE)
writeLines(as.character(as.integer(species)), at("codes.txt"))
write.csv(data.frame(label = species), at("species.csv"), row.names = FALSE)
odd <- logits
odd[2, 3] <- -Inf
odd[3, 1] <- NaN
write.csv(odd, at("inf.csv"), row.names = FALSE)

powers <- exp(as.matrix(logits))
probabilities <- powers / rowSums(powers)
predictions <- data.frame(probabilities, predicted = species, truth = species)
names(predictions) <- c(paste0(".pred_", names(logits)), ".pred_class", "species")
readr::write_csv(predictions, at("tidymodels.csv"))
readr::write_csv(labelled, at("readr.csv"))
readr::write_csv2(labelled, at("readr2.csv"))
readr::write_tsv(labelled, at("readr.tsv"))
readr::write_csv(missing, at("readr_missing.csv"))
data.table::fwrite(labelled, at("fwrite.csv"))
data.table::fwrite(labelled, at("fwrite2.csv"), sep = ";", dec = ",")
writeLines(jsonlite::toJSON(labelled), at("records.json"))
writeLines(jsonlite::toJSON(labelled, dataframe = "columns"), at("columns.json"))
writeLines(jsonlite::toJSON(as.matrix(logits)), at("matrix.json"))
writeLines(jsonlite::toJSON(missing), at("missing.json"))
connection <- file(at("stream.json"), "w")
jsonlite::stream_out(labelled, connection, verbose = FALSE)
close(connection)
saveRDS(labelled, at("frame.rds"))
