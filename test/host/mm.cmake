# Memory: unit tests, and the property test on the adversarial machine: with steps of a few entries
# and small tables (long operations and whole leaves are then everywhere), and of the real sizes.
set(mm_sources)
foreach(name advise asid aspace copy fault fork frame huge leaf look memobj pagetable radix reclaim region remap slab work)
	list(APPEND mm_sources ${TERN_TOP}/mm/${name}.c)
endforeach()
list(APPEND mm_sources mm_check.c)
tern_host_test(NAME mm SOURCES mm_unit.c tlb_model.c ${mm_sources})
tern_host_test(NAME mm-property SOURCES mm_property.c mm_oracle.c tlb_model.c ${mm_sources}
	DEFINES STEP_ENTRIES=7 PT_BITS=4)
tern_host_test(NAME mm-property-long SOURCES mm_property.c mm_oracle.c tlb_model.c ${mm_sources})
tern_fuzz(NAME mm SECONDS 20 SOURCES mm_property.c mm_oracle.c tlb_model.c ${mm_sources}
	DEFINES STEP_ENTRIES=7 PT_BITS=4 MM_FUZZ=1)
