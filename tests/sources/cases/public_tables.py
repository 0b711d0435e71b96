"""Published data sets with a table of labels."""

from .forms import Case, Files, Reads, Refuses, each, image, images, labelled, numbered, table, texts

NAMES = numbered(12, "img_{}.png")
HAM = "lesion_id,image_id,dx,dx_type,age,sex,localization"


def ham10000() -> Files:
    parts = images("HAM10000_images_part_1", 6, "ISIC_00{}.jpg") | images(
        "HAM10000_images_part_2", 6, "ISIC_01{}.jpg"
    )
    stems = [path.rpartition("/")[2][:-4] for path in parts]
    return parts | {
        "HAM10000_metadata.csv": labelled(
            stems, "mel,nv,bkl", HAM, "HAM_1,{name},{label},histo,50.0,male,back"
        )
    }


def celeba() -> Files:
    rows = [f"{k:06d}.jpg,{(-1, 1)[k % 2]},{(1, -1)[k % 3 == 0]},{(1, -1)[k % 5 > 1]}" for k in range(12)]
    parts = [f"{k:06d}.jpg,{0 if k < 8 else 2}" for k in range(12)]
    return images("img_align_celeba/img_align_celeba", 12, "{:06d}.jpg") | {
        "list_attr_celeba.csv": table("image_id,Male,Smiling,Young", *rows),
        "list_eval_partition.csv": table("image_id,partition", *parts),
    }


def artifact() -> Files:
    files = images("{afhq,biggan,coco}")
    for name, target in (("afhq", 0), ("biggan", 6), ("coco", 0)):
        rows = [f"img_{k}.png,{name}/img_{k}.png,{target},cat" for k in range(6)]
        files[f"{name}/metadata.csv"] = table("filename,image_path,target,category", *rows)
    return files


def fashion() -> Files:
    rows = [
        f"{k},{('Men', 'Women')[k % 2]},{('Apparel', 'Footwear', 'Accessories')[k % 3]},Casual"
        for k in range(12)
    ]
    return images("images", 12, "{}.jpg") | {"styles.csv": table("id,gender,masterCategory,usage", *rows)}


def pokemon() -> Files:
    rows = [f"mon{k},{('Fire', 'Water')[k % 2]},{('', 'Flying')[k % 3 == 0]},mon{k + 1}" for k in range(12)]
    return images("images/images", 12, "mon{}.png") | {
        "pokemon.csv": table("Name,Type1,Type2,Evolution", *rows)
    }


def gtsrb() -> Files:
    files = images("Train/{0,1,2}") | images("Test", 6, "{:05d}.png") | images("Meta", 3, "{}.png")
    rows = [f"8,8,{path.split('/')[1]},{path}" for path in files if path.startswith("Train")]
    files["Train.csv"] = table("Width,Height,ClassId,Path", *rows)
    files["Test.csv"] = table(
        "Width,Height,ClassId,Path", *(f"8,8,{k % 3},Test/{k:05d}.png" for k in range(6))
    )
    files["Meta.csv"] = table("Path,ClassId,ShapeId", *(f"Meta/{k}.png,{k},{k}" for k in range(3)))
    return files


CASES = [
    Case("skin lesions", ham10000, Reads(each("bkl,mel,nv", 4), notes=("HAM10000_metadata.csv", "dx"))),
    Case("skin lesions by column", ham10000, Reads(each("bkl,mel,nv", 4)), {"label_column": "dx"}),
    Case("celebrities", celeba, Refuses("list_attr_celeba.csv", "--label-column")),
    Case("celebrities by column", celeba, Reads(each("-1,1")), {"label_column": "Male"}),
    Case("generators with targets", artifact, Refuses("metadata.csv", "--exclude")),
    Case("generators by target", artifact, Reads({"0": 12, "6": 6}), {"label_column": "target"}),
    Case(
        "fashion",
        fashion,
        Reads(each("Accessories,Apparel,Footwear", 4), notes=("styles.csv", "masterCategory")),
    ),
    Case("fashion by column", fashion, Reads(each("Men,Women")), {"label_column": "gender"}),
    Case("monsters by column", pokemon, Reads(each("Fire,Water")), {"label_column": "Type1"}),
    Case(
        "monsters by a column with gaps",
        pokemon,
        Refuses("Type2"),
        {"label_column": "Type2", "path_column": "Nam"},
    ),
    Case("traffic signs", gtsrb, Reads(each("0,1,2"), notes=("Test/", "6 images", "Test.csv", "Meta/"))),
    Case(
        "traffic signs by column",
        gtsrb,
        Reads(each("0,1,2"), test=each("0,1,2", 2), notes=("Meta", "3 images")),
        {"label_column": "ClassId"},
    ),
    Case(
        "butterflies",
        lambda: (
            images("train", 12, "Image_{}.jpg")
            | images("test", 4, "Image_{}.jpg")
            | {
                "Training_set.csv": labelled(
                    numbered(12, "Image_{}.jpg"), "MONARCH,RED ADMIRAL", "filename,label"
                )
            }
            | {"Testing_set.csv": table("filename", *numbered(4, "Image_{}.jpg"))}
        ),
        Reads(each("MONARCH,RED ADMIRAL"), notes=("4 images", "test")),
    ),
    Case(
        "leaves of cassava",
        lambda: (
            images("train_images", 12, "{}.jpg")
            | images("test_images", 1, "9{}.jpg")
            | texts("train_tfrecords", 2, "ld_train0{}-1338.tfrec")
            | {"train.csv": labelled(numbered(12, "{}.jpg"), "0,1,2", "image_id,label")}
            | {"label_num_to_disease_map.json": b'{"0": "CBB", "1": "CBSD", "2": "CGM"}'}
            | {"sample_submission.csv": table("image_id,label", "90.jpg,4")}
        ),
        Reads(each("0,1,2", 4), notes=("test_images",)),
    ),
    Case(
        "breeds of dogs",
        lambda: (
            images("train", 12, "{:032x}.jpg")
            | images("test", 3, "f{:031x}.jpg")
            | {"labels.csv": labelled(numbered(12, "{:032x}"), "boxer,pug", "id,breed")}
            | {"sample_submission.csv": table("id,boxer,pug", f"f{0:031x},0.5,0.5")}
        ),
        Reads(each("boxer,pug"), notes=("3 images", "test", "sample_submission.csv")),
    ),
    Case(
        "tissue",
        lambda: (
            {f"train/{k:040x}.tif": image("tif") for k in range(12)}
            | {f"test/{k + 50:040x}.tif": image("tif") for k in range(3)}
            | {"train_labels.csv": labelled(numbered(12, "{:040x}"), "0,1", "id,label")}
        ),
        Reads(each("0,1"), notes=("3 images", "test")),
    ),
    Case(
        "x-rays of many findings",
        lambda: (
            images("images", 12)
            | {
                "Data_Entry_2017.csv": labelled(
                    NAMES,
                    "Hernia,Mass|Nodule,Mass",
                    "Image Index,Finding Labels,Patient ID",
                    "{name},{label},1",
                )
            }
        ),
        Reads(each("Hernia,Mass,Mass|Nodule", 4)),
        {"label_column": "Finding Labels", "path_column": "Image Index"},
    ),
]
